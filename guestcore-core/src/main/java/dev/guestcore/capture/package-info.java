/**
 * Capturing: freeze a guest, write it as a core, let it run on. Start with {@link dev.guestcore.capture.Capture}.
 */
@NullMarked
package dev.guestcore.capture;

import org.jspecify.annotations.NullMarked;
