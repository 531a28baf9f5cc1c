/**
 * The manifest beside a core: digests of the file and of the guest memory in it, and the facts of its capture. The file
 * is documented in docs/manifest.md.
 */
@NullMarked
package dev.guestcore.manifest;

import org.jspecify.annotations.NullMarked;
