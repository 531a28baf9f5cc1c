/** Processor registers, typed per architecture, and the save areas of the processor (FXSAVE, XSAVE). */
@NullMarked
package dev.guestcore.cpu;

import org.jspecify.annotations.NullMarked;
