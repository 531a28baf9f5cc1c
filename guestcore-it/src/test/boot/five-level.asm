; A boot sector that turns on 64-bit mode with five levels of page tables, pages of all sizes, and halts. u32 at 0x7000 is
; 1 when it is done.
;
;   nasm -f bin -o five-level.img five-level.asm
;
; PML5 at 0x10000 (entry 256 is itself), PML4 0x11000, PDPT 0x12000, PD 0x13000, PT 0x14000.

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
        mov di, 0x4000
        mov cx, 256
.next:  stosd
        add di, 4
        add eax, 0x1000
        loop .next
        mov dword [es:0x4000 + 8 * 300], 0x00005001
        mov dword [es:0x4000 + 8 * 300 + 4], 0x80000000
        mov dword [es:0x4000 + 8 * 511], 0x00006103
        mov dword [es:0x3000], 0x00014007
        mov dword [es:0x3000 + 8 * 1], 0x00200087
        mov dword [es:0x3000 + 8 * 511], 0x0fe00183
        mov dword [es:0x2000], 0x00013007
        mov dword [es:0x2000 + 8 * 3], 0xc0000083
        mov dword [es:0x2000 + 8 * 3 + 4], 0x80000000
        mov dword [es:0x2000 + 8 * 511], 0x40000085
        mov dword [es:0x2000 + 8 * 511 + 4], 0x00000001
        mov dword [es:0x1000], 0x00012007
        mov dword [es:0x1000 + 8 * 256], 0x00012003
        mov dword [es:0x0000], 0x00011007
        mov dword [es:8 * 256], 0x00010003
        mov dword [es:8 * 511], 0x00011003
        lgdt [gdtr]
        mov eax, 0x10a0         ; LA57, PGE, PAE
        mov cr4, eax
        mov eax, 0x10000
        mov cr3, eax
        mov ecx, 0xc0000080     ; EFER: LME, NXE
        mov eax, 0x900
        xor edx, edx
        wrmsr
        mov eax, 0x80010011     ; PG, WP, ET, PE
        mov cr0, eax
        jmp 0x08:wide

        bits 64
wide:   mov dword [abs 0x7000], 1
.halt:  hlt
        jmp .halt

gdtr:   dw gdt_end - gdt - 1
        dd gdt
gdt:    dq 0
        dq 0x00af9b000000ffff
        dq 0x00cf93000000ffff
gdt_end:
        times 510 - ($ - $$) db 0
        dw 0xaa55
