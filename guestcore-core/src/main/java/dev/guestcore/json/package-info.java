/**
 * What Guestcore reports, as JSON: {@link dev.guestcore.json.ReportJson} makes trees of it, which the schemas in
 * {@code docs/json} describe, and {@link dev.guestcore.json.Json} writes them.
 */
@NullMarked
package dev.guestcore.json;

import org.jspecify.annotations.NullMarked;
