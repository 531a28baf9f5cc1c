/** What is particular to a hypervisor: facts that its dumps carry and no other's do. */
@NullMarked
package dev.guestcore.hypervisor;

import org.jspecify.annotations.NullMarked;
