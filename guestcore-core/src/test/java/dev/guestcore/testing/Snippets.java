package dev.guestcore.testing;

import java.io.File;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The Java in our documents, and a compiler for it: statements are put into a method, beside variables that they may use
 * without saying where they come from; what our modules export is imported.
 */
public final class Snippets {

    /** Every class of a snippet extends it. */
    private static final String CONTEXT =
            """
            public class Context implements Runnable {
                public %s
                public java.util.function.Consumer<Object> shown = value -> {};
                public void run() {}
                protected void show(Object value) { shown.accept(value); }
                protected void print(Object value) { shown.accept(value); }
            }
            """;

    private static final Pattern FENCE = Pattern.compile("(?s)\n```java\n(.*?)\n```\n");
    private static final Pattern JAVADOC = Pattern.compile("(?:\\{@snippet *:|<pre>\\{@code) *(?=\n)");
    private static final Pattern EXPORT = Pattern.compile("(?m)^ +exports ([a-z0-9.]+);");
    private static final Pattern ERROR = Pattern.compile("(?:Snippet(\\d+)\\.java:(\\d+): )?error: (.*)");
    private static final Pattern WHOLE = Pattern.compile("(?m)^(public |final |import )");

    private final List<String> variables;
    private final List<Path> moduleSources;
    private final String classPath;

    /**
     * A compiler.
     *
     * @param variables what snippets may use, as Java declares it: type and name
     * @param classes one of each folder or jar that they need
     * @param moduleSources the {@code module-info.java} of the modules whose packages are imported
     */
    public Snippets(List<String> variables, List<Class<?>> classes, List<Path> moduleSources) {
        this.variables = List.copyOf(variables);
        this.moduleSources = List.copyOf(moduleSources);
        classPath = classes.stream().map(Snippets::place).distinct().collect(Collectors.joining(File.pathSeparator));
    }

    /** Some Java in a document, at the line where it begins, counted from 1. */
    public record Snippet(Path file, int line, String code) {

        /** Whether it is a source file of its own. */
        boolean isWhole() {
            return WHOLE.matcher(code).find();
        }
    }

    /** What stands between fences in a page. */
    public static List<Snippet> ofPage(Path file) {
        return FENCE.matcher(text(file)).results()
                .map(match -> new Snippet(file, lineOf(file, match.start(1)), match.group(1)))
                .toList();
    }

    /** What stands in the comments of a source file as {@code @snippet}, or as {@code @code} of several lines. */
    public static List<Snippet> ofJavadoc(Path file) {
        List<Snippet> found = new ArrayList<>();
        String text = text(file);
        Matcher matcher = JAVADOC.matcher(text);
        while (matcher.find()) {
            int depth = 1;
            int end = matcher.end();
            for (; depth > 0; end++) {
                depth += text.charAt(end) == '{' ? 1 : text.charAt(end) == '}' ? -1 : 0;
            }
            String code = text.substring(matcher.end() + 1, end - 1).replaceAll("(?m)^ *\\* ?", "");
            found.add(new Snippet(file, lineOf(file, matcher.end() + 1), code));
        }
        return found;
    }

    private static int lineOf(Path file, int offset) {
        return 1 + (int) text(file).substring(0, offset).chars().filter(c -> c == '\n').count();
    }

    private static String text(Path file) {
        try {
            return Files.readString(file);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String place(Class<?> type) {
        try {
            URI uri = Objects.requireNonNull(type.getProtectionDomain().getCodeSource()).getLocation().toURI();
            return Path.of(uri).toString();
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /**
     * Compiles snippets as {@code snippets.Snippet0} and so on, which extend {@code snippets.Context}; those that are
     * whole source files keep their names.
     *
     * @param classes the folder for the classes
     * @return what the compiler complains about; empty if all is well
     */
    public List<String> compile(List<Snippet> snippets, Path classes) {
        // Not by javax.tools, whose module ours does not read.
        ToolProvider compiler = ToolProvider.findFirst("javac").orElseThrow();
        String fields = variables.stream().collect(Collectors.joining(";\n    public ", "", ";"));
        StringWriter complaints = new StringWriter();
        try {
            Path sources = Files.createTempDirectory(classes, "sources");
            List<String> words = new ArrayList<>(
                    List.of("-proc:none", "-encoding", "UTF-8", "-cp", classPath, "-d", classes.toString()));
            words.add(write(sources, "Context", imports("package snippets;") + CONTEXT.formatted(fields)));
            for (int i = 0; i < snippets.size(); i++) {
                words.add(write(sources, "Snippet" + i, source(snippets.get(i), "Snippet" + i)));
            }
            compiler.run(new PrintWriter(complaints), new PrintWriter(complaints), words.toArray(String[]::new));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return complaints.toString().lines()
                .map(ERROR::matcher)
                .filter(Matcher::find)
                .map(match -> explain(match, snippets))
                .toList();
    }

    private static String write(Path folder, String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name + ".java"), text).toString();
    }

    private String source(Snippet snippet, String name) {
        if (snippet.isWhole()) {
            return imports("") + "\n" + snippet.code().replaceFirst("(?m)^public ", "");
        }
        return imports("package snippets;") + "public final class " + name + " extends Context {"
                + " public void run() { try { go(); } catch (Exception e) { throw new RuntimeException(e); } }"
                + " private void go() throws Exception {\n" + snippet.code() + "\n}}";
    }

    /** On one line, so that lines can be counted. */
    private String imports(String before) {
        Stream<String> exported = moduleSources.stream()
                .flatMap(file -> EXPORT.matcher(text(file)).results().map(match -> match.group(1)));
        Stream<String> standard = Stream.of("java.util", "java.nio.file", "java.nio.charset", "java.lang.foreign");
        return before
                + Stream.concat(standard, exported).map(name -> "import " + name + ".*;").collect(Collectors.joining())
                + "import static java.nio.charset.StandardCharsets.*;";
    }

    private static String explain(MatchResult complaint, List<Snippet> snippets) {
        if (complaint.group(1) == null) {
            return complaint.group();
        }
        Snippet snippet = snippets.get(Integer.parseInt(complaint.group(1)));
        return snippet.file() + ":" + (snippet.line() + Integer.parseInt(complaint.group(2)) - 2) + ": "
                + complaint.group(3);
    }
}
