package dev.guestcore.linux.types;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/** Finds types by the names that C has for them. */
final class CNames {

    private static final int LONGEST = 256;

    /** A name of one or more words, stars, and dimensions. */
    private static final Pattern SHAPE =
            Pattern.compile("\\s*([A-Za-z_$][\\w$ ]*?)\\s*((?:\\*\\s*)*)((?:\\[\\s*[0-9]{0,9}\\s*]\\s*)*)");

    private static final Pattern DIMENSION = Pattern.compile("\\[\\s*([0-9]*)\\s*]");

    private CNames() {}

    static Optional<KernelType> find(Btf btf, String name) {
        Matcher shape = SHAPE.matcher(name);
        if (name.length() > LONGEST || !shape.matches()) {
            return Optional.empty();
        }
        Optional<KernelType> found = plain(btf, words(shape.group(1)));
        if (found.isEmpty()) {
            return found;
        }
        KernelType type = found.get();
        for (long stars = shape.group(2).chars().filter(each -> each == '*').count(); stars > 0; stars--) {
            type = DerivedType.pointer(type, btf.pointerSize());
        }
        List<String> dimensions = new ArrayList<>();
        Matcher dimension = DIMENSION.matcher(shape.group(3));
        while (dimension.find()) {
            dimensions.addFirst(dimension.group(1));
        }
        for (String each : dimensions) {
            type = DerivedType.array(type, each.isEmpty() ? 0 : Long.parseLong(each));
        }
        return Optional.of(type);
    }

    private static List<String> words(String text) {
        return Stream.of(text.trim().split("\\s+"))
                .filter(word -> !word.equals("const") && !word.equals("volatile"))
                .toList();
    }

    private static Optional<KernelType> plain(Btf btf, List<String> words) {
        if (words.equals(List.of("void"))) {
            return Optional.of(VoidType.VOID);
        }
        if (words.size() == 2) {
            String name = words.get(1);
            switch (words.get(0)) {
                case "struct" -> {
                    return complete(btf, name, BtfKind.STRUCT);
                }
                case "union" -> {
                    return complete(btf, name, BtfKind.UNION);
                }
                case "enum" -> {
                    return btf.named(name, kind -> kind == BtfKind.ENUM || kind == BtfKind.ENUM64);
                }
                default -> {}
            }
        }
        if (words.size() == 1) {
            String name = words.getFirst();
            Optional<KernelType> ordinary = btf.named(name, kind -> kind == BtfKind.TYPEDEF || kind == BtfKind.INT
                    || kind == BtfKind.FLOAT)
                    .or(() -> btf.named(name, kind -> kind.isStructure() || kind == BtfKind.ENUM
                            || kind == BtfKind.ENUM64))
                    .or(() -> btf.named(name, kind -> kind == BtfKind.FWD));
            if (ordinary.isPresent()) {
                return ordinary;
            }
        }
        List<String> wanted = canonical(words);
        return btf.numbers()
                .filter(number -> canonical(words(number.name())).equals(wanted))
                .findFirst();
    }

    private static Optional<KernelType> complete(Btf btf, String name, BtfKind wanted) {
        return btf.named(name, kind -> kind == wanted)
                .or(() -> btf.named(name, kind -> kind == BtfKind.FWD)
                        .filter(type -> ((BtfType) type).isUnion() == (wanted == BtfKind.UNION)));
    }

    /** {@code unsigned long} and {@code long unsigned int} are one type. */
    private static List<String> canonical(List<String> words) {
        List<String> sorted = new ArrayList<>(words);
        if (!sorted.contains("char")) {
            sorted.removeAll(List.of("signed"));
        }
        if (sorted.stream().anyMatch(word -> word.equals("long") || word.equals("short"))) {
            sorted.removeAll(List.of("int"));
        }
        if (sorted.equals(List.of("unsigned"))) {
            sorted.add("int");
        }
        if (sorted.isEmpty() && !words.isEmpty()) {
            sorted.add("int");
        }
        if (words.equals(List.of("bool"))) {
            return List.of("_Bool");
        }
        Collections.sort(sorted);
        return Arrays.asList(sorted.toArray(String[]::new));
    }
}
