package dev.guestcore.it.readers;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Says of a class of tests that its program opens what we write, unchanged, in these formats. {@link ReadmeTest} holds
 * the README to it.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.TYPE)
@interface Opens {

    /** Names of formats ("vbox"). */
    String[] value();
}
