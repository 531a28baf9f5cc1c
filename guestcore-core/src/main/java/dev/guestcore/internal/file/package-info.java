/** What the system says of files and mappings: holes, reads that outlive an interrupt, links, and why it refused. */
@NullMarked
package dev.guestcore.internal.file;

import org.jspecify.annotations.NullMarked;
