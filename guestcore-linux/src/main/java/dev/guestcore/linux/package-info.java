/**
 * What a Linux guest was doing, from its memory alone, without a debug package. Each subsystem of the kernel has a class
 * of its own:
 *
 * {@snippet :
 * Linux linux = Linux.of(guest);
 * System.out.println(linux.image().release().orElse("?"));
 * linux.tasks().processes().forEach(each -> System.out.println(each.pid() + " " + each.name()));
 * linux.log().records().flatMap(record -> record.lines().stream()).forEach(System.out::println);
 * linux.stacks().ofPid(1).ifPresent(stack -> stack.trace().frames().forEach(System.out::println));
 * linux.sockets().forEach(socket -> System.out.println(socket.kind() + " " + socket.local()));
 * }
 *
 * <p>What no class shows is read as the kernel's own code reads it, by the names of variables, types and members. Lists
 * in memory may be torn, so a {@link dev.guestcore.linux.Walk} also tells how it ended:
 *
 * {@snippet :
 * KernelObject init = linux.variable("init_task");
 * Walk<KernelObject> tasks = init.get("tasks").list("struct task_struct", "tasks");
 * for (KernelObject each : tasks) {
 *     if (!each.get("mm").isNull()) {
 *         System.out.println(each.getInt("pid") + " " + each.get("mm.exe_file.f_path.dentry.d_name.name").string());
 *     }
 * }
 * if (!tasks.complete()) {
 *     System.out.println("there may be more: " + tasks.problems());
 * }
 * }
 */
@NullMarked
package dev.guestcore.linux;

import org.jspecify.annotations.NullMarked;
