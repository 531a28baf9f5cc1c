/**
 * What aircompressor's jar does not say of itself: jlink takes only modules with a descriptor. The name is that which Java
 * derives from the jar's name. Its native codecs are read by its own classes only, so nothing is opened.
 */
@SuppressWarnings("module")
module aircompressor.v3 {
    requires jdk.unsupported;

    exports io.airlift.compress.v3;
    exports io.airlift.compress.v3.lzo;
    exports io.airlift.compress.v3.snappy;
    exports io.airlift.compress.v3.zstd;
}
