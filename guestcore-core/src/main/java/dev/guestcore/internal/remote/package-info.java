/** What reading files elsewhere takes, whatever the protocol: a bounded cache with read-ahead. */
@NullMarked
package dev.guestcore.internal.remote;

import org.jspecify.annotations.NullMarked;
