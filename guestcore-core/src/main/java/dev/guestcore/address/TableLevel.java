package dev.guestcore.address;

/** A level of an x86 page table, named as in the Intel SDM (volume 3, chapter "Paging"). */
public enum TableLevel {
    /** Fifth level, only with CR4.LA57: 256 TiB an entry. */
    PML5("PML5E"),
    /** Fourth level: 512 GiB an entry. */
    PML4("PML4E"),
    /** Page-directory-pointer table: 1 GiB an entry. */
    PDPT("PDPTE"),
    /** Page directory: 2 MiB an entry, or 4 MiB in 32-bit two-level paging. */
    PD("PDE"),
    /** Page table: 4 KiB an entry. */
    PT("PTE");

    private final String entryName;

    TableLevel(String entryName) {
        this.entryName = entryName;
    }

    /** What the manuals call an entry of such a table ("PDPTE"). */
    public String entryName() {
        return entryName;
    }
}
