; A boot sector that turns on PAE paging with 4 KiB and 2 MiB pages and no-execute, and halts. u32 at 0x7000 is 1 when it
; is done.
;
;   nasm -f bin -o pae.img pae.asm
;
; Page-directory-pointer table at 0x10020, page directories at 0x11000 and 0x12000, page table at 0x13000.

        bits 16
        org 0x7c00
start:  cli
        cld
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov dword [0x7000], 0
        mov ax, 0x1000
        mov es, ax
        xor di, di
        xor eax, eax
        mov cx, 0x4000
        rep stosd
        mov eax, 0x00000007     ; the first 1 MiB
        mov di, 0x3000
        mov cx, 256
.next:  stosd
        add di, 4
        add eax, 0x1000
        loop .next
        mov dword [es:0x3000 + 8 * 300], 0x00005001
        mov dword [es:0x3000 + 8 * 300 + 4], 0x80000000
        mov dword [es:0x3000 + 8 * 301], 0x00006103
        mov dword [es:0x3000 + 8 * 302], 0x34567003
        mov dword [es:0x3000 + 8 * 302 + 4], 0x00000012
        mov dword [es:0x1000], 0x00013007
        mov dword [es:0x1000 + 8 * 1], 0x00200087
        mov dword [es:0x1000 + 8 * 2], 0x00600081
        mov dword [es:0x1000 + 8 * 2 + 4], 0x80000000
        mov dword [es:0x1000 + 8 * 511], 0x00400183
        mov dword [es:0x1000 + 8 * 511 + 4], 0x00000005
        mov dword [es:0x2000 + 8 * 7], 0x00013001
        mov dword [es:0x2000 + 8 * 508], 0x00011003     ; the directories as page tables
        mov dword [es:0x2000 + 8 * 511], 0x00012003
        mov dword [es:0x0020], 0x00011001
        mov dword [es:0x0030], 0x00011001
        mov dword [es:0x0038], 0x00012001
        lgdt [gdtr]
        mov eax, 0xa0           ; PAE, PGE
        mov cr4, eax
        mov ecx, 0xc0000080     ; EFER: NXE
        mov eax, 0x800
        xor edx, edx
        wrmsr
        mov eax, 0x10020
        mov cr3, eax
        mov eax, 0x80010011     ; PG, WP, ET, PE
        mov cr0, eax
        jmp 0x08:wide

        bits 32
wide:   mov eax, 0x10
        mov ds, eax
        mov dword [0x7000], 1
.halt:  hlt
        jmp .halt

gdtr:   dw gdt_end - gdt - 1
        dd gdt
gdt:    dq 0
        dq 0x00cf9b000000ffff
        dq 0x00cf93000000ffff
gdt_end:
        times 510 - ($ - $$) db 0
        dw 0xaa55
