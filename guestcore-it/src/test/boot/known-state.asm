; A disk image that brings two vCPUs into 64-bit mode, loads every register with a known value, fills memory with a known
; pattern and then stays: vCPU 0 in a jump to itself, vCPU 1 halted. KnownState.java holds the same values.
;
;   nasm -f bin -o known-state.img known-state.asm
;
; Memory: 0x7000 u32 per vCPU, 1 when it is done; 0x7008 u32, 1 when there is memory at 4 GiB
;         0x10000 page tables: identity, 2 MiB pages, 0-1 GiB and 3-5 GiB
;         0x200000-0x3fffff, and 0x100000000-0x1001fffff if present: u64 = address ^ PATTERN

PATTERN equ 0xa5a5c3c35a5a3c3c
DONE    equ 0x7000
HIGH    equ 0x7008
TABLES  equ 0x10000
VECTORS equ 0x20000             ; 32 bytes for each of 16 vector registers, 4 KiB a vCPU
VALUES  equ 0x30000             ; 16 general registers, 4 KiB a vCPU
STACKS  equ 0x40000             ; 4 KiB a vCPU
APIC    equ 0xfee00000

        bits 16
        org 0x7c00

start:  cli
        cld
        xor ax, ax
        mov ds, ax
        mov es, ax
        mov ss, ax
        mov sp, 0x7c00
        mov si, load
        mov ah, 0x42            ; the BIOS gives the drive in dl
        int 0x13
        jc $
        in al, 0x92             ; A20
        or al, 2
        and al, 0xfe
        out 0x92, al
        xor eax, eax            ; the BIOS may have left something there
        mov di, DONE
        mov cx, 8
        rep stosd
        call tables
        jmp enter

load:   db 16, 0
        dw 15                   ; sectors
        dw 0x7e00, 0            ; to
        dq 1                    ; from

tables: mov ax, TABLES >> 4
        mov es, ax
        xor di, di
        xor eax, eax
        mov cx, 5 * 1024
        rep stosd
        mov dword [es:0x0000], TABLES + 0x1003
        mov dword [es:0x1000], TABLES + 0x2003
        mov dword [es:0x1018], TABLES + 0x3003
        mov dword [es:0x1020], TABLES + 0x4003
        mov di, 0x2000
        mov eax, 0x00000083     ; from 0
        xor ebx, ebx
        call directory
        mov eax, 0xc0000083     ; from 3 GiB
        call directory
        mov eax, 0x00000083     ; from 4 GiB
        inc ebx
        call directory
        xor ax, ax
        mov es, ax
        ret

directory:
        mov cx, 512
.next:  mov [es:di], eax
        mov [es:di + 4], ebx
        add eax, 0x200000
        add di, 8
        loop .next
        ret

        times 510 - ($ - $$) db 0
        dw 0xaa55

        times 0x400 - ($ - $$) db 0
                                ; 0x8000: where vCPU 1 starts, with cs = 0x800
second: cli
        cld
        jmp 0:enter

enter:  xor ax, ax
        mov ds, ax
        lgdt [gdtr]
        mov eax, 0x6a0          ; PAE, PGE, OSFXSR, OSXMMEXCPT
        mov cr4, eax
        mov eax, TABLES
        mov cr3, eax
        mov ecx, 0xc0000080     ; EFER: SCE, LME, NXE
        mov eax, 0x901
        xor edx, edx
        wrmsr
        mov eax, 0x80010033     ; PG, WP, NE, ET, MP, PE
        mov cr0, eax
        jmp 0x08:wide

        bits 64
wide:   mov eax, 1
        lock xadd [abs counter], eax
        mov r15d, eax           ; r15: number of this vCPU
        mov r14, r15
        shl r14, 12             ; r14: offset of its 4 KiB
        mov eax, 0x10
        mov ds, eax
        mov eax, 0x20
        mov ss, eax
        lea rsp, [r14 + STACKS + 0x1000]
        test r15d, r15d
        jnz state
        mov rdi, 0x200000
        call fill
        mov rdi, 0x100000000
        mov rax, PATTERN
        mov [rdi], rax
        wbinvd
        cmp [rdi], rax
        jne .low
        call fill
        mov dword [abs HIGH], 1
.low:   mov ebx, APIC
        mov dword [rbx + 0xf0], 0x1ff           ; enabled
        mov dword [rbx + 0x300], 0xc4500        ; INIT to all others
        call pause_20ms
        mov dword [rbx + 0x300], 0xc4608        ; start at 0x8000
        call pause_20ms
        mov dword [rbx + 0x300], 0xc4608
        jmp state

fill:   mov ecx, 0x200000 / 8   ; from rdi on
        mov rdx, PATTERN
.next:  mov rax, rdi
        xor rax, rdx
        stosq
        loop .next
        ret

pause_20ms:
        mov ecx, 20000
.next:  in al, 0x80
        loop .next
        ret

%macro  msr 3                   ; number, upper and lower half; lower + number of the vCPU
        mov ecx, %1
        mov edx, %2
        lea eax, [r15 + %3]
        wrmsr
%endmacro

state:  lidt [abs idtr]
        mov eax, 0x18
        mov es, eax
        mov eax, 0x28
        mov fs, eax
        mov eax, 0x30
        mov gs, eax
        mov eax, r15d           ; a task register is busy once it is loaded, so each vCPU has its own
        shl eax, 4
        add eax, 0x38
        ltr ax
        mov eax, 0x58
        lldt ax
        msr 0xc0000100, 0xffff8f5f, 0x00001000  ; FS base
        msr 0xc0000101, 0xffff9696, 0x00002000  ; GS base
        msr 0xc0000102, 0xffffa7a7, 0x00003000  ; kernel GS base
        msr 0xc0000081, 0x00100008, 0x00000000  ; STAR
        msr 0xc0000082, 0xffffb8b8, 0x00004000  ; LSTAR
        msr 0xc0000083, 0xffffc9c9, 0x00005000  ; CSTAR
        msr 0xc0000084, 0x00000000, 0x00040600  ; SFMASK
        msr 0x174, 0x00000000, 0x00000010       ; SYSENTER_CS
        msr 0x175, 0xffffd0d0, 0x00006000       ; SYSENTER_ESP
        msr 0x176, 0xffffe1e1, 0x00007000       ; SYSENTER_EIP
        mov rax, 0xc2c2c2c2c2c2c200
        add rax, r15
        mov cr2, rax
        mov eax, 5
        mov cr8, rax
        test r15d, r15d
        jz .debug
        mov rax, cr3            ; vCPU 1: PCD and PWT
        or rax, 0x18
        mov cr3, rax
.debug: mov rax, 0xd0d0d0d0d0d0d000
        add rax, r15
        mov dr0, rax
        mov rcx, 0x0101010101010100
        add rax, rcx
        mov dr1, rax
        add rax, rcx
        mov dr2, rax
        add rax, rcx
        mov dr3, rax
        mov eax, 0xffff0ff5
        mov dr6, rax
        mov eax, 0x700
        mov dr7, rax

        lea rdi, [r14 + VECTORS]                ; byte k of vector register i is 16 i + k, in its upper half the
        xor ecx, ecx                            ; complement; vCPU 1 has all bits inverted
        mov ebx, r15d
        neg ebx
.byte:  mov eax, ecx
        mov edx, ecx
        and eax, 0x0f
        shr edx, 5
        shl edx, 4
        or eax, edx
        xor eax, ebx
        test ecx, 0x10
        jz .lower
        not eax
.lower: mov [rdi + rcx], al
        inc ecx
        cmp ecx, 512
        jb .byte
%assign i 0
%rep 16
        movdqu xmm %+ i, [rdi + 32 * i]
%assign i i + 1
%endrep
        mov eax, 1
        cpuid
        bt ecx, 28
        jnc .no_avx
        mov rax, cr4
        or rax, 0x40000
        mov cr4, rax
        xor ecx, ecx
        xor edx, edx
        mov eax, 7
        xsetbv
        lea rdi, [r14 + VECTORS]
%assign i 0
%rep 16
        vmovdqu ymm %+ i, [rdi + 32 * i]
%assign i i + 1
%endrep
.no_avx:
        ldmxcsr [abs mxcsr]
        fninit
        fldcw [abs fcw]
        fld1
        fldpi
        fldl2e

        lea rdi, [r14 + VALUES]                 ; general register r: bytes 10 r, 10 r + 1 ... 10 r + 6, number of vCPU
        mov rax, 0x0001020304050600
        add rax, r15
        mov rdx, 0x1010101010101000
        mov ecx, 16
        cld
.value: stosq
        add rax, rdx
        loop .value
        test r15d, r15d
        jnz second_state

%macro  general 2                               ; number of the vCPU, flags
        push %2
        popfq
%assign at VALUES + 0x1000 * %1
        mov rax, [abs at]
        mov rbx, [abs at + 8]
        mov rcx, [abs at + 16]
        mov rdx, [abs at + 24]
        mov rsi, [abs at + 32]
        mov rdi, [abs at + 40]
        mov rbp, [abs at + 48]
        mov rsp, [abs at + 56]
        mov r8, [abs at + 64]
        mov r9, [abs at + 72]
        mov r10, [abs at + 80]
        mov r11, [abs at + 88]
        mov r12, [abs at + 96]
        mov r13, [abs at + 104]
        mov r14, [abs at + 112]
        mov r15, [abs at + 120]
        mov dword [abs DONE + 4 * %1], 1
%endmacro

        general 0, 0xcd7                        ; CF PF AF ZF SF DF OF
        jmp spin
second_state:
        general 1, 0x46                         ; PF ZF
        jmp halt

        times 0xa00 - ($ - $$) db 0
spin:   jmp spin                                ; 0x8600

        times 0xa40 - ($ - $$) db 0
halt:   hlt                                     ; 0x8640; a halted vCPU stands behind the instruction
        jmp halt

        times 0xb00 - ($ - $$) db 0
counter: dd 0
mxcsr:  dd 0x9fc0
fcw:    dw 0x27f
gdtr:   dw gdt_end - gdt - 1
        dd gdt
idtr:   dw 0xfff
        dq 0xffff800000009300

%macro  descriptor 4                               ; base, limit, access, flags
        dw (%2) & 0xffff, (%1) & 0xffff
        db ((%1) >> 16) & 0xff, %3, ((%4) << 4) | (((%2) >> 16) & 0x0f), ((%1) >> 24) & 0xff
%endmacro

        times 0xc00 - ($ - $$) db 0
gdt:    dq 0                                    ; 0x8800
        descriptor 0, 0xfffff, 0x9b, 0xa           ; 08 cs
        descriptor 0, 0xfffff, 0x92, 0xc           ; 10 ds
        descriptor 0x12345000, 0x7ffff, 0x92, 0x4  ; 18 es
        descriptor 0, 0xfffff, 0x92, 0xd           ; 20 ss
        descriptor 0, 0x12345, 0x90, 0x4           ; 28 fs
        descriptor 0, 0x00fff, 0x96, 0xc           ; 30 gs
        descriptor 0x00007100, 0x67, 0x89, 0       ; 38 tr of vCPU 0
        dq 0xffff8000
        descriptor 0x00007200, 0x6f, 0x89, 0       ; 48 tr of vCPU 1
        dq 0xffff8000
        descriptor 0x00008200, 0x0f, 0x82, 0       ; 58 ldtr
        dq 0xffff8000
gdt_end:

        times 0x2000 - ($ - $$) db 0
