/**
 * The embedded guest {@code demo:}, a small 64-bit PC inside this process whose vCPUs really run, for trying, teaching
 * and testing with nothing installed. {@link dev.guestcore.source.demo.DemoInvariant} checks that a capture of it shows
 * one instant.
 */
@NullMarked
package dev.guestcore.source.demo;

import org.jspecify.annotations.NullMarked;
