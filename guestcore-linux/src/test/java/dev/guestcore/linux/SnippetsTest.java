package dev.guestcore.linux;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Guest;
import dev.guestcore.testing.DrgnPage;
import dev.guestcore.testing.Snippets;
import dev.guestcore.testing.Snippets.Snippet;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.NullMarked;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Java in our documents and comments compiles, and uses nothing but what the modules export. */
@Tag("slow")
class SnippetsTest {

    private static final Path CHECKOUT = Path.of("..");

    private static final Snippets COMPILER = new Snippets(
            List.of(
                    "Guest guest",
                    "Guest before",
                    "Guest after",
                    "Vcpu vcpu",
                    "Linux linux",
                    "KernelObject task",
                    "GuestMemory memory",
                    "AddressSpace addressSpace",
                    "AddressRange range",
                    "Progress progress",
                    "byte[] bytes"),
            List.of(Guest.class, Linux.class, NullMarked.class),
            Stream.of("guestcore-core", "guestcore-linux").map(SnippetsTest::descriptor).toList());

    @TempDir
    private Path folder;

    private static Path sources(String module) {
        return CHECKOUT.resolve(module).resolve("src/main/java");
    }

    private static Path descriptor(String module) {
        return sources(module).resolve("module-info.java");
    }

    private static List<Path> files(Path folder, String ending) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(file -> file.toString().endsWith(ending)).sorted().toList();
        }
    }

    private void compiles(List<Snippet> snippets) {
        assertEquals("", String.join("\n", COMPILER.compile(snippets, folder)));
    }

    @Test
    void pages() throws IOException {
        List<Snippet> snippets = new ArrayList<>(Snippets.ofPage(CHECKOUT.resolve("README.md")));
        for (Path page : files(CHECKOUT.resolve("docs"), ".md")) {
            snippets.addAll(Snippets.ofPage(page));
        }
        assertTrue(snippets.size() >= 8, snippets::toString);
        compiles(snippets);
    }

    @Test
    void comments() throws IOException {
        List<Snippet> snippets = new ArrayList<>();
        for (String module : List.of("guestcore-core", "guestcore-linux")) {
            for (Path file : files(sources(module), ".java")) {
                snippets.addAll(Snippets.ofJavadoc(file));
            }
        }
        assertTrue(snippets.size() >= 9, snippets::toString);
        compiles(snippets);
    }

    /** That both sides give the same, a test beside drgn's own tests shows. */
    @Test
    void tablesOfThePageAboutDrgn() {
        List<Snippet> snippets = DrgnPage.java(CHECKOUT.resolve("docs/drgn.md"));
        assertTrue(snippets.size() >= 40, snippets::toString);
        compiles(snippets);
    }

    @Test
    void mistakesAreFound() {
        Path page = CHECKOUT.resolve("docs/drgn.md");
        List<String> problems = COMPILER.compile(
                List.of(new Snippet(page, 7, "int i = 1;\nguest.nonsense();"), new Snippet(page, 20, "print(linux);")),
                folder);
        assertEquals(1, problems.size(), problems::toString);
        assertTrue(problems.getFirst().startsWith(page + ":8: cannot find symbol"), problems::toString);
    }
}
