; A boot sector that turns on 32-bit paging with 4 KiB and 4 MiB pages and halts. u32 at 0x7000 is 1 when it is done.
;
;   nasm -f bin -o two-level.img two-level.asm
;
; Page directory at 0x10000, page tables at 0x11000 and 0x12000; the last entry of the directory is the directory itself.

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
        mov eax, 0x00000007     ; the first 2 MiB, writable for the user
        mov di, 0x1000
        mov cx, 512
.next:  stosd
        add eax, 0x1000
        loop .next
        mov dword [es:0x1000 + 4 * 600], 0x00005001
        mov dword [es:0x1000 + 4 * 601], 0x00005003
        mov dword [es:0x1000 + 4 * 602], 0x00004003
        mov dword [es:0x1000 + 4 * 700], 0x000ff185
        mov dword [es:0x1000 + 4 * 701], 0x00123000     ; not present
        mov dword [es:0x2000], 0x00006019
        mov dword [es:0x2000 + 4 * 1023], 0xfffff003
        mov dword [es:4 * 0], 0x00011007
        mov dword [es:4 * 1], 0x00400087
        mov dword [es:4 * 2], 0x00c00081
        mov dword [es:4 * 3], 0x01000098                ; not present
        mov dword [es:4 * 768], 0x00000183
        mov dword [es:4 * 769], 0x004001e7
        mov dword [es:4 * 1022], 0x00012003
        mov dword [es:4 * 1023], 0x00010003
        lgdt [gdtr]
        mov eax, 0x90           ; PSE, PGE
        mov cr4, eax
        mov eax, 0x10000
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
