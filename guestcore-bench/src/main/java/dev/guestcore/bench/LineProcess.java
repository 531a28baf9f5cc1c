package dev.guestcore.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.util.List;

/** A program that answers each line on its standard input with one on its standard output. */
final class LineProcess implements AutoCloseable {

    private final List<String> command;
    private final Process process;
    private final Writer questions;
    private final BufferedReader answers;

    /** Starts the program; its errors go where ours go. */
    LineProcess(List<String> command) throws IOException {
        this.command = command;
        this.process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        this.questions = process.outputWriter();
        this.answers = process.inputReader();
    }

    /** Asks for numbers. */
    long[] ask(String question) {
        try {
            questions.write(question + "\n");
            questions.flush();
            String answer = answers.readLine();
            if (answer == null) {
                throw new IllegalStateException(String.join(" ", command) + " left at: " + question);
            }
            return List.of(answer.split(" ")).stream()
                    .mapToLong(Long::parseUnsignedLong)
                    .toArray();
        } catch (IOException e) {
            throw new UncheckedIOException(String.join(" ", command) + " at: " + question, e);
        }
    }

    /** Asks for a pass: three numbers. */
    Pass pass(String question) {
        long[] answer = ask(question);
        return new Pass(answer[0], answer[1], answer[2]);
    }

    @Override
    public void close() {
        process.destroy();
        process.onExit().join();
    }
}
