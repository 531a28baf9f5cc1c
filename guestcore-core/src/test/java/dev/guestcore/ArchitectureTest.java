package dev.guestcore;

import static com.tngtech.archunit.core.domain.JavaAccess.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows of ARCHITECTURE.md. */
@AnalyzeClasses(packages = "dev.guestcore", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {

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
    static final ArchRule REGISTERS_STAND_ALONE = classes()
            .that()
            .resideInAPackage("dev.guestcore.cpu")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage("dev.guestcore.cpu", "dev.guestcore.error", "java..", "org.jspecify..");

    @ArchTest
    static final ArchRule ERRORS_STAND_ALONE = classes()
            .that()
            .resideInAPackage("dev.guestcore.error")
            .should()
            .onlyDependOnClassesThat()
            .resideInAnyPackage("dev.guestcore.error", "java..", "org.jspecify..");

    /** The library's native code is unpacked into the folder for temporary files, where others may write, and loaded. */
    @ArchTest
    static final ArchRule CODECS_ARE_THOSE_IN_JAVA = noClasses()
            .should()
            .dependOnClassesThat()
            .haveNameMatching("io\\.airlift\\..*Native.*")
            .orShould()
            .callMethodWhere(
                    target(nameMatching("create|hash"))
                            .and(target(owner(resideInAPackage("io.airlift..")))));
}
