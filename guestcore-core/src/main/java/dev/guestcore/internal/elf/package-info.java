/** Headers and notes of ELF files, read and written side by side. */
@NullMarked
package dev.guestcore.internal.elf;

import org.jspecify.annotations.NullMarked;
