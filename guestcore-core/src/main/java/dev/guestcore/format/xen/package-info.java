/**
 * The Xen dump-core: an ELF file of sections only, as {@code xl dump-core} writes it. {@link XenDumpCoreWriter} writes one,
 * {@link XenDumpCoreFormat} recognises, reads and checks one. The bytes are described in docs/formats/xen-dump-core.md.
 */
@NullMarked
package dev.guestcore.format.xen;

import org.jspecify.annotations.NullMarked;
