/**
 * The model: a {@link dev.guestcore.Guest} is a virtual machine frozen at one instant. Everything else in the library
 * gives one or takes one. It makes no difference whether it is a file or a live guest.
 *
 * <p>Open one. A live guest is frozen until it is closed:
 *
 * {@snippet :
 * try (Guest guest = Guests.open("vm.core")) {                   // or "qemu:/run/vm.qmp", "demo:"
 *     System.out.println(guest.provenance().format() + ", " + guest.vcpus().size() + " vCPUs");
 *     guest.findings().forEach(finding -> System.out.println(finding.message()));    // damage and notes
 * }
 * }
 *
 * <p>Memory is read by guest-physical address, and what is not there is told from zeros. Registers that are not known
 * are absent:
 *
 * {@snippet :
 * long word = guest.memory().readLong(0x1000);                   // MemoryAccessException where it is missing
 * PageState state = guest.memory().runAt(0x1000).state();        // PRESENT, ZERO, EXCLUDED, UNREADABLE or ABSENT
 * RegisterState registers = guest.vcpus().getFirst().registers();
 * if (registers.knows(X86.RIP)) {
 *     System.out.println(registers.hex(X86.RIP));
 * }
 * }
 *
 * <p>Virtual memory is a {@link dev.guestcore.GuestMemory} too, by the page tables of a vCPU:
 *
 * {@snippet :
 * Vcpu vcpu = guest.vcpus().getFirst();
 * long rip = vcpu.registers().get(X86.RIP);
 * AddressSpace space = AddressSpace.of(guest, vcpu);
 * System.out.println(space.translate(rip));                      // where the page tables lead, and how
 * space.memory().read(rip, bytes);
 * MemorySearch.of(SearchPattern.text("secret", List.of(UTF_8)))
 *         .virtual(space, hit -> System.out.println(Long.toHexString(hit.address())), Progress.none());
 * }
 *
 * <p>The kernel, by what it left in memory; each fact says how it was found and how certain it is. The module
 * {@code dev.guestcore.linux} goes on from there, to processes, logs and stacks:
 *
 * {@snippet :
 * KernelFacts kernel = KernelFacts.glance(guest);
 * kernel.release().ifPresent(release -> System.out.println(release.value() + ": " + release.confidence()));
 * }
 *
 * <p>Write a core of a live guest, or of a file. The guest is frozen as briefly as possible, and the file gets its name
 * when it is whole:
 *
 * {@snippet :
 * try (GuestSource source = Guests.source("qemu:/run/vm.qmp")) {
 *     CaptureReport report = Capture.of(source)
 *             .to(KdumpWriter.standard().withCompression(PageCodec.ZSTD))
 *             .write(Path.of("vm.kdump"));
 *     report.written().losses().forEach(System.out::println);    // what the format cannot carry
 * }
 * }
 *
 * <p>A guest of one's own needs memory, without a copy of it, and registers by name. It can be written, searched and
 * debugged as any other:
 *
 * {@snippet :
 * Guest own = Guest.builder()
 *         .ram(0x0, MemorySegment.ofArray(bytes))
 *         .vcpu(RegisterState.builder().set(X86.RIP, 0x7c00).build())
 *         .build();
 * }
 *
 * <p>This package depends on nothing else in the library but registers, errors and the facts of hypervisors.
 */
@NullMarked
package dev.guestcore;

import org.jspecify.annotations.NullMarked;
