/** What programs of others say about the cores that Guestcore writes; one class a program, named after it. */
@NullMarked
package dev.guestcore.it.readers;

import org.jspecify.annotations.NullMarked;
