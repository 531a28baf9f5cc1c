; A boot sector that enters long mode, gives registers and memory known values and halts.
; Memory [0x200000, 0x400000) holds u64 = address xor 0x5a5aa5a53c3cc3c3; mapped at 0 and at the top of the address space.
bits 16
org 0x7c00
start:
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    in al, 0x92
    or al, 2
    out 0x92, al
    lgdt [gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp 8:protected
bits 32
protected:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov fs, ax
    mov gs, ax
    mov edi, 0x10000
    xor eax, eax
    mov ecx, 0x3000 / 4
    rep stosd
    mov dword [0x10000], 0x11003
    mov dword [0x10ff8], 0x11003
    mov dword [0x11000], 0x12003
    mov dword [0x11ff0], 0x12003
    mov edi, 0x12000
    mov eax, 0x83
    mov ecx, 32
.next:
    mov [edi], eax
    add eax, 0x200000
    add edi, 8
    loop .next
    mov eax, 0x10000
    mov cr3, eax
    mov eax, cr4
    or eax, 0x220
    mov cr4, eax
    mov ecx, 0xc0000080
    rdmsr
    or eax, 0x100
    wrmsr
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    jmp 24:long_mode
bits 64
long_mode:
    mov rdi, 0x200000
    mov rbx, 0x5a5aa5a53c3cc3c3
.fill:
    mov rax, rdi
    xor rax, rbx
    stosq
    cmp rdi, 0x400000
    jb .fill
    mov ecx, 0xc0000102
    mov eax, 0x11223344
    mov edx, 0xffff8000
    wrmsr
    mov ecx, 0xc0000101
    mov eax, 0x55667788
    mov edx, 0xffff8000
    wrmsr
    mov rax, 0x1011121314151617
    mov rcx, 0x2021222324252627
    mov rdx, 0x3031323334353637
    mov rsi, 0x4041424344454647
    mov rdi, 0x5051525354555657
    mov rbp, 0x6061626364656667
    mov r8, 0x7071727374757677
    mov r15, 0xe0e1e2e3e4e5e6e7
    mov dword [0x8000], 0x600d600d
.halt:
    hlt
    jmp .halt
align 8
gdt:
    dq 0
    dq 0x00cf9b000000ffff
    dq 0x00cf93000000ffff
    dq 0x00af9b000000ffff
gdtr:
    dw 31
    dd gdt
times 510 - ($ - $$) db 0
dw 0xaa55
