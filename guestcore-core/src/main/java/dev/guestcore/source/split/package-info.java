/** {@code split:FILE,FILE,...}: one dump that lies in several files, which only the user can name together. */
@NullMarked
package dev.guestcore.source.split;

import org.jspecify.annotations.NullMarked;

