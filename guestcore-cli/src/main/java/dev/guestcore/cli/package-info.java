/** The command line: one class a verb. */
@NullMarked
package dev.guestcore.cli;

import org.jspecify.annotations.NullMarked;
