/** 16, 32 and 64-bit Intel and AMD: registers, modes, and the processor's save areas (FXSAVE, XSAVE). */
@NullMarked
package dev.guestcore.arch.x86;

import org.jspecify.annotations.NullMarked;
