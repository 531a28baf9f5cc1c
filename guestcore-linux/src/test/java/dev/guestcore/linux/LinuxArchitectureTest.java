package dev.guestcore.linux;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;

/** The arrows inside this module. */
@AnalyzeClasses(packages = "dev.guestcore.linux", importOptions = ImportOption.DoNotIncludeTests.class)
class LinuxArchitectureTest {

    @ArchTest
    static final ArchRule PACKAGES_FORM_NO_CYCLE =
            slices().matching("dev.guestcore.linux.(**)").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule SYMBOLS_AND_TYPES_STAND_ALONE = noClasses()
            .that()
            .resideInAnyPackage("dev.guestcore.linux.symbols..", "dev.guestcore.linux.types..")
            .should()
            .dependOnClassesThat()
            .resideInAPackage("dev.guestcore.linux");
}
