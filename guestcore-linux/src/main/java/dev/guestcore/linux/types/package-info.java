/** The kernel's C types, from the description that it holds in memory for itself (BTF). */
@NullMarked
package dev.guestcore.linux.types;

import org.jspecify.annotations.NullMarked;
