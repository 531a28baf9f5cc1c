/** What Guestcore says of a Linux guest, beside what the guest said itself. */
@NullMarked
package dev.guestcore.it.linux;

import org.jspecify.annotations.NullMarked;
