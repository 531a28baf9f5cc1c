/**
 * Facts about the guest's kernel, found in memory and registers without its symbols: which kernel it is, where it was
 * loaded, and how to open the dump in debuggers. Start with {@link dev.guestcore.kernel.KernelFacts}.
 */
@NullMarked
package dev.guestcore.kernel;

import org.jspecify.annotations.NullMarked;
