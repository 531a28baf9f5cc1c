/**
 * Hostile input by the million: what Guestcore reads of files, guests, hypervisors and debuggers, each a
 * {@link dev.guestcore.fuzz.Target} that Jazzer drives towards code it has not seen.
 */
@NullMarked
package dev.guestcore.fuzz;

import org.jspecify.annotations.NullMarked;
