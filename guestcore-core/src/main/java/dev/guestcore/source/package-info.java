/**
 * What a source is: a {@link dev.guestcore.source.GuestSource} is connected to a guest, which it freezes as a
 * {@link dev.guestcore.source.FreezeRequest} says. Each kind of source has a package below this one, and none depends
 * on another.
 */
@NullMarked
package dev.guestcore.source;

import org.jspecify.annotations.NullMarked;
