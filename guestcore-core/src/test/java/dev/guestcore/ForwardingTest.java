package dev.guestcore;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.Arrays;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/** A wrapper that forgets a method changes what is behind it, silently, if the method has a default. */
class ForwardingTest {

    /** Methods that are computed from others by their defaults, so that a wrapper which overrides those counts. */
    private static final Set<String> COMPUTED =
            Set.of("read", "readByte", "readShort", "readInt", "readLong", "readString", "facts(Class)");

    private static Set<String> methods(Class<?> type) {
        return Arrays.stream(type.getDeclaredMethods())
                .filter(method -> Modifier.isPublic(method.getModifiers()) && !Modifier.isStatic(method.getModifiers()))
                .filter(method -> !method.isSynthetic() && !COMPUTED.contains(method.getName()))
                .map(ForwardingTest::signature)
                .filter(signature -> !COMPUTED.contains(signature))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    private static String signature(Method method) {
        return method.getName()
                + Arrays.stream(method.getParameterTypes())
                        .map(Class::getSimpleName)
                        .collect(Collectors.joining(",", "(", ")"));
    }

    @Test
    void passesOnEveryMethod() {
        assertEquals(methods(Guest.class), methods(ForwardingGuest.class));
        assertEquals(methods(GuestMemory.class), methods(ForwardingMemory.class));
        assertTrue(methods(GuestMemory.class).contains("byteOrder()"));
    }
}
