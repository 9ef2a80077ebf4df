// Loads the configuration and tokenizer of REPOSITORY from HUB_URL with transformers.js.
import { AutoConfig, AutoTokenizer, env } from "@huggingface/transformers";

env.remoteHost = process.env.HUB_URL;
env.allowLocalModels = false;
env.useFSCache = false;

const config = await AutoConfig.from_pretrained(process.env.REPOSITORY);
const tokenizer = await AutoTokenizer.from_pretrained(process.env.REPOSITORY);
const ids = tokenizer.encode("weigh bridge weigh");
console.log(JSON.stringify({ type: config.model_type, ids, text: tokenizer.decode(ids) }));
