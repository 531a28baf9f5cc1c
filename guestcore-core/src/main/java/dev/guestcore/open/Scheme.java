package dev.guestcore.open;

/**
 * What can stand before a colon in the name of a guest.
 *
 * @param name without the colon: "qemu"
 * @param help one line for the user: what can stand behind the colon, two spaces, and what it opens
 */
public record Scheme(String name, String help) {}
