/** What several rooms share and no user sees. */
@NullMarked
package dev.guestcore.internal;

import org.jspecify.annotations.NullMarked;
