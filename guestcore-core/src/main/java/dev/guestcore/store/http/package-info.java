/** Files on servers that give ranges of them over HTTP: RFC 9110, sections 8.8 (validators), 13.1 (If-Match), 14 (ranges). */
@NullMarked
package dev.guestcore.store.http;

import org.jspecify.annotations.NullMarked;
