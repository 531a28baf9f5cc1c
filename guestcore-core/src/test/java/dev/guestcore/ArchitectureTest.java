package dev.guestcore;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaAccess.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.Dependency;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.util.List;

/** The arrows of ARCHITECTURE.md. */
@AnalyzeClasses(packages = "dev.guestcore", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

    @ArchTest
    static final ArchRule PACKAGES_FORM_NO_CYCLE =
            slices().assignedFrom(new EachPackage()).should().beFreeOfCycles();

    /**
     * The floors of the library, from the ground up. Whatever stands on one may use what is on the same or below, and a new
     * package gets its place here.
     */
    private static final List<List<String>> FLOORS = List.of(
            // what needs no guest
            List.of("report", "error", "cpu", "arch", "arch.*", "internal.file", "internal.lzo", "internal.ranges",
                    "internal.spool"),
            // the model
            List.of("", "facts"),
            // bytes in files and in memory
            List.of("file", "internal.text", "internal.memory", "internal.output", "internal.freeze",
                    "internal.parallel",
                    "internal.remote"),
            // what is in the memory of a guest
            List.of("address", "search", "kernel", "internal.kernel"),
            // what a format and a source are
            List.of("format", "source", "internal.check", "internal.writer"),
            // what several formats or sources share
            List.of("internal.elf", "internal.keep", "internal.migration", "internal.xen"),
            // formats and sources
            List.of("format.*", "source.*", "store.*"),
            // opening
            List.of("open"),
            // what is done with open guests and their files
            List.of("inspect", "manifest", "serve.gdb"),
            // what puts them together
            List.of("capture"),
            // what all of it reports
            List.of("json"));

    @ArchTest
    static final ArchRule NOTHING_REACHES_UP = classes().should(new ArchCondition<JavaClass>("use nothing above it") {

        @Override
        public void check(JavaClass item, ConditionEvents events) {
            for (Dependency dependency : item.getDirectDependenciesFromSelf()) {
                JavaClass target = dependency.getTargetClass().getBaseComponentType();
                if (target.getPackageName().startsWith(LIBRARY) && floor(target) > floor(item)) {
                    events.add(SimpleConditionEvent.violated(dependency, dependency.getDescription()));
                }
            }
        }
    });

    private static final String LIBRARY = "dev.guestcore";

    private static int floor(JavaClass item) {
        String name =
                item.getPackageName().equals(LIBRARY) ? "" : item.getPackageName().substring(LIBRARY.length() + 1);
        for (int floor = 0; floor < FLOORS.size(); floor++) {
            for (String room : FLOORS.get(floor)) {
                boolean below = room.endsWith(".*") && name.startsWith(room.substring(0, room.length() - 1));
                if (below || room.equals(name)) {
                    return floor;
                }
            }
        }
        throw new AssertionError("package " + item.getPackageName() + " is on no floor; give it a place in FLOORS");
    }

    /** Every package is a slice of its own. */
    private static final class EachPackage implements SliceAssignment {

        @Override
        public SliceIdentifier getIdentifierOf(JavaClass item) {
            return SliceIdentifier.of(item.getPackageName());
        }

        @Override
        public String getDescription() {
            return "packages";
        }
    }

    @ArchTest
    static final ArchRule FORMATS_DO_NOT_KNOW_EACH_OTHER =
            slices().matching("dev.guestcore.format.(*)..").should().notDependOnEachOther();

    @ArchTest
    static final ArchRule SOURCES_DO_NOT_KNOW_EACH_OTHER =
            slices().matching("dev.guestcore.source.(*)..").should().notDependOnEachOther();

    @ArchTest
    static final ArchRule NOTHING_KNOWS_A_PARTICULAR_FORMAT_OR_SOURCE = noClasses()
            .that()
            .resideOutsideOfPackages("dev.guestcore.format.(*)..", "dev.guestcore.source.(*)..")
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("dev.guestcore.format.(*)..", "dev.guestcore.source.(*)..");

    @ArchTest
    static final ArchRule FORMATS_AND_SOURCES_DO_NOT_KNOW_EACH_OTHER = noClasses()
            .that()
            .resideInAPackage("dev.guestcore.format..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.guestcore.source..");

    @ArchTest
    static final ArchRule ARCHITECTURES_KNOW_REGISTERS_ONLY =
            slices().matching("dev.guestcore.arch.(*)").should().notDependOnEachOther();

    @ArchTest
    static final ArchRule REGISTERS_STAND_ALONE = classes()
            .that()
            .resideInAPackage("dev.guestcore.cpu")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage("dev.guestcore.cpu", "dev.guestcore.error", "java..", "org.jspecify..");

    @ArchTest
    static final ArchRule ERRORS_STAND_ALONE = classes()
            .that()
            .resideInAnyPackage("dev.guestcore.error", "dev.guestcore.report")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage("dev.guestcore.error", "dev.guestcore.report", "java..", "org.jspecify..");

    /** The library's native code is unpacked into the folder for temporary files, where others may write, and loaded. */
    @ArchTest
    static final ArchRule CODECS_ARE_THOSE_IN_JAVA = noClasses()
            .should()
            .dependOnClassesThat()
            .haveNameMatching("io\\.airlift\\..*Native.*")
            .orShould()
            .callMethodWhere(
                    target(nameMatching("create|hash"))
                            .and(target(owner(resideInAPackage("io.airlift..")
                                    .and(not(nameMatching(".*Java.*")))))));
}
