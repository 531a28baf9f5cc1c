; A boot sector whose two vCPUs keep an invariant between their registers and pages all over memory. vCPU 0 writes
; generation 1, 2, 3 ... to every second page from 16 MiB on, vCPU 1 to the pages between them. vCPU 1 starts a generation
; when vCPU 0 has finished it; vCPU 0 is never more than two generations ahead.
;
;   nasm -f bin -o generations.img generations.asm
;
; Registers: eax is the generation that is being written, ecx how many pages have it.
; Memory: 0x6000 u32 generations that vCPU 0 has finished, 0x6004 u32 the same of vCPU 1, 0x7000 u32 1 when it runs.

DONE0   equ 0x6000
DONE1   equ 0x6004
READY   equ 0x7000
START   equ 0x8000              ; where vCPU 1 begins
BASE    equ 0x1000000
PAGES   equ 4096                ; of each vCPU
APIC    equ 0xfee00000

        bits 16
        org 0x7c00

start:  cli
        cld
        xor ax, ax
        mov ds, ax
        mov ss, ax
        mov sp, 0x7c00
        mov dword [DONE0], 0
        mov dword [DONE1], 0
        mov dword [READY], 0
        in al, 0x92             ; A20
        or al, 2
        and al, 0xfe
        out 0x92, al
        mov byte [START], 0xea  ; jmp 0:second
        mov word [START + 1], second
        mov word [START + 3], 0
        lgdt [gdtr]
        mov eax, 0x11           ; ET, PE
        mov cr0, eax
        jmp 0x08:first32

second: cli
        xor ax, ax
        mov ds, ax
        lgdt [gdtr]
        mov eax, 0x11
        mov cr0, eax
        jmp 0x08:second32

        bits 32
first32:
        mov eax, 0x10
        mov ds, eax
        mov ss, eax
        mov dword [APIC + 0xf0], 0x1ff          ; enabled
        mov dword [APIC + 0x300], 0xc4500       ; INIT to all others
        mov ecx, 1000000
        loop $
        mov dword [APIC + 0x300], 0xc4600 + START / 4096
        xor eax, eax
.next:  mov ebx, [DONE1]
        inc ebx
        cmp ebx, eax
        jb .next
        xor ecx, ecx
        inc eax
        mov edx, BASE
.page:  mov [edx], eax
        add edx, 2 * 4096
        inc ecx
        cmp ecx, PAGES
        jb .page
        mov [DONE0], eax
        jmp .next

second32:
        mov eax, 0x10
        mov ds, eax
        mov ss, eax
        xor eax, eax
.next:  mov ebx, [DONE0]
        cmp ebx, eax
        jbe .next
        xor ecx, ecx
        inc eax
        mov edx, BASE + 4096
.page:  mov [edx], eax
        add edx, 2 * 4096
        inc ecx
        cmp ecx, PAGES
        jb .page
        mov [DONE1], eax
        mov dword [READY], 1
        jmp .next

        align 8
gdt:    dq 0
        dq 0x00cf9a000000ffff           ; code
        dq 0x00cf92000000ffff           ; data
gdtr:   dw $ - gdt - 1
        dd gdt

        times 510 - ($ - $$) db 0
        dw 0xaa55
