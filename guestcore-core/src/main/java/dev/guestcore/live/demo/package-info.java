/**
 * The embedded guest {@code demo:}, a small 64-bit PC inside this process whose vCPUs really run, for trying, teaching
 * and testing with nothing installed. {@link dev.guestcore.live.demo.DemoInvariant} tells whether a capture of it is of
 * one instant.
 */
@NullMarked
package dev.guestcore.live.demo;

import org.jspecify.annotations.NullMarked;
