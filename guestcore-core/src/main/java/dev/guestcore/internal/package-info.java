/** Code that several packages share; not exported. */
@NullMarked
package dev.guestcore.internal;

import org.jspecify.annotations.NullMarked;
