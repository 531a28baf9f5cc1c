/**
 * What findings, checks, losses and errors share: an id, how bad it is, where, what was expected and found, what to do, and the
 * source of the rule.
 */
@NullMarked
package dev.guestcore.report;

import org.jspecify.annotations.NullMarked;
