/**
 * What the guest's kernel left in memory and registers, found without its symbols: which kernel it is, where it was
 * loaded, and how debuggers must be told. Begin with {@link dev.guestcore.kernel.KernelFacts}.
 */
@NullMarked
package dev.guestcore.kernel;

import org.jspecify.annotations.NullMarked;
