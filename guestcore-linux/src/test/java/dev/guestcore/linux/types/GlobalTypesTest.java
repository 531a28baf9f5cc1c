package dev.guestcore.linux.types;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.guestcore.linux.types.BtfBuilder.Member;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class GlobalTypesTest {

    @Test
    void theTableTellsWhatBtfDoesNot() {
        BtfBuilder btf = BtfBuilder.kernel();
        int integer = btf.integer("int", 4, 1);
        btf.integer("char", 1, 1);
        btf.struct("list_head", 16);
        int rq = btf.struct("rq", 8, Member.at(0, "nr", integer));
        btf.variable("runqueues", rq);
        // What BTF tells counts more.
        btf.variable("modules", integer);
        Btf types = btf.read();
        assertEquals("struct rq", GlobalTypes.of(types, "runqueues").orElseThrow().toString());
        assertEquals("int", GlobalTypes.of(types, "modules").orElseThrow().toString());
        assertEquals("struct list_head", GlobalTypes.of(types, "slab_caches").orElseThrow().toString());
        assertEquals("char []", GlobalTypes.of(types, "linux_banner").orElseThrow().toString());
        assertEquals(Optional.empty(), GlobalTypes.of(types, "init_task"));
        assertEquals(Optional.empty(), GlobalTypes.of(types, "unheard_of"));
        // Without the first type of several the next one.
        assertEquals("void *[]", GlobalTypes.of(types, "sys_call_table").orElseThrow().toString());
        assertTrue(GlobalTypes.names().contains("init_task"));
    }
}
