/** Processor registers, typed per architecture, and the processor's own save areas. */
@NullMarked
package dev.guestcore.cpu;

import org.jspecify.annotations.NullMarked;
