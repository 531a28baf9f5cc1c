/** The kernel's symbols, from the tables that it holds in memory for itself (kallsyms). */
@NullMarked
package dev.guestcore.linux.symbols;

import org.jspecify.annotations.NullMarked;
