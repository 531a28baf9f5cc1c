/** Digests of a core and of the guest memory in it, made while it is written, and the manifest that holds them. */
@NullMarked
package dev.guestcore.internal.manifest;

import org.jspecify.annotations.NullMarked;
