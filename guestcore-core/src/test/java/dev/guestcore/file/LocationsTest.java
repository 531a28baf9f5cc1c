package dev.guestcore.file;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.Progress;
import dev.guestcore.error.SourceException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Addresses of files elsewhere. */
class LocationsTest {

    @ParameterizedTest
    @CsvSource(
            delimiter = ' ',
            value = {
                "vm.core vm.core",
                "what?.core what?.core",
                "https://host/vm.core https://host/vm.core",
                "https://host/vm.core?X-Amz-Signature=s3cret https://host/vm.core?...",
                "https://name:s3cret@host/vm.core https://host/vm.core",
                "https://host/vm@2.core https://host/vm@2.core",
                "raw:https://host/low?s=1,2@3@0x0,https://host/high?s=4@4G raw:https://host/low?...@0x0,https://host/high?...@4G",
                "split:https://host/a?s=1,https://host/b?s=2 split:https://host/a?...,https://host/b?...",
                "raw:http://host@0 raw:http://host@0",
            })
    void secretsAreNotShown(String location, String shown) {
        assertEquals(shown, Locations.printable(location));
    }

    @Test
    void aPathIsNoAddress() {
        assertFalse(Locations.isAddress("vm.core"));
        assertFalse(Locations.isAddress("demo:"));
        assertFalse(Locations.isAddress("qemu:/run/vm.qmp"));
        assertTrue(Locations.isAddress("https://host/vm.core"));
        assertTrue(Locations.isAddress("S3://bucket/vm.core"));
    }

    @Test
    void anAddressThatNoStoreKnowsIsAnError() {
        assertEquals(
                "s3://bucket/vm.core: addresses that begin with s3:// cannot be read; those that can begin with https://, http://",
                assertThrows(SourceException.class, () -> FileBytes.open("s3://bucket/vm.core", Progress.none()))
                        .getMessage());
    }
}
