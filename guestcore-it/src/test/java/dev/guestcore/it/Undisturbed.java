package dev.guestcore.it;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Test classes that nothing else of this module may run beside, in whatever process: they measure time, kill at moments that
 * they measured, or look for what was left in places that all share.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
public @interface Undisturbed {
}
