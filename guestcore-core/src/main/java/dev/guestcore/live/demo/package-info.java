/**
 * The embedded guest {@code demo:}, a small 64-bit PC inside this process whose vCPUs really run, for trying, teaching
 * and testing with nothing installed. {@link dev.guestcore.live.demo.DemoInvariant} checks that a capture of it shows
 * one instant.
 */
@NullMarked
package dev.guestcore.live.demo;

import org.jspecify.annotations.NullMarked;
